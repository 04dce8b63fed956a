"""Less work for the same gradients: no padding, shared beginnings once, frozen blocks once, outputs only where they count."""
