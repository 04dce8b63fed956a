"""The report of ``hatrack check`` as one page for a browser: nothing is loaded from elsewhere, nothing in it runs."""
