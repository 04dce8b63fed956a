"""The studio: a project in a browser, for people who use no command line. Every button is a command."""
