"""The report of ``hatrack compare`` as one page for a browser: nothing is loaded from elsewhere, nothing in it runs."""
