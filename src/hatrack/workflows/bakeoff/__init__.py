"""The bake-off: every way of solving a task, on the same rows, with what each costs."""
