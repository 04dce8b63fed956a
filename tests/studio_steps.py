"""What somebody does in the studio's pages: chooses a file, presses, waits for a job."""

from __future__ import annotations

from pathlib import Path

from browser import Browser

__all__ = ["choose", "finished", "press"]

_STATE = "document.querySelector('[role=status]')?.innerText"


def press(page: Browser, text: str) -> None:
    """Press the button, or follow the link, that says so."""
    found = f"[...document.querySelectorAll('button, a')].find(one => one.innerText.trim() == {text!r} && !one.disabled)"
    page.until(f"document.readyState == 'complete' && {found} != null")
    page.value(f"{found}.click()")


def choose(page: Browser, path: Path) -> None:
    """Choose a file, as the dialog of the browser would."""
    field = page.command("Runtime.evaluate", expression="document.getElementById('file')")["result"]["objectId"]
    page.command("DOM.setFileInputFiles", objectId=field, files=[str(path)])


def finished(page: Browser, seconds: float = 120) -> str:
    """In which state the job ended whose page is there, or comes."""
    page.until(f"location.pathname.startsWith('/jobs/') && document.querySelector('[role=status]') && !/^running/.test({_STATE})", seconds)
    return str(page.value(_STATE))
