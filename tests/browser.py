"""A headless Chromium, driven over its own debugging pipe: real keys, real focus, real pixels, and no driver to install."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_PATIENCE = 60  # seconds
_KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}


class Browser:
    """One page. Commands are those of the DevTools protocol, one JSON text and a NUL each."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._number, self._rest, self._session = 0, b"", ""
        self.complaints: list[str] = []  # of the console: a blocked script, an exception
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._hear(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._back], [], [], _PATIENCE)[0], "the browser does not answer; is a dialog open?"
            part = os.read(self._back, 1 << 16)
            assert part, "the browser is gone"
            self._rest += part
        one, _, self._rest = self._rest.partition(b"\0")
        return json.loads(one)

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["source"] != "network":
            self.complaints.append(event["params"]["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(event["params"]["exceptionDetails"]))

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    def value(self, script: str) -> Any:
        """What an expression is in the page. The page's own policy does not hold for it."""
        result = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def _between_pages(self, script: str) -> Any:
        """As ``value``; None where the page was just left for another one."""
        try:
            return self.value(script)
        except AssertionError as error:
            if "navigated or closed" in str(error):
                return None
            raise

    def until(self, script: str, seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while not (value := self._between_pages(script)):
            assert time.monotonic() < end, f"not in time: {script}\n{self.value('document.body.innerText')}"
            time.sleep(0.03)
        return value

    def barriers(self) -> list[str]:
        """What axe-core finds serious or critical for people who use a keyboard, a screen reader, or need contrast."""
        self.value(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + "; true")
        found = self.value("axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html).slice(0, 3).join(' ')]))")
        return [f"{rule}: {where}" for impact, rule, where in found if impact in ("serious", "critical")]

    def type(self, text: str) -> None:
        """Into whatever has the focus."""
        self.command("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        code, text = _KEYS[key]
        about = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.command("Input.dispatchKeyEvent", type="keyUp", **about)

    def look(self, width: int, *, dark: bool = False) -> None:
        """A window of this width, in pixels, of a system in light or dark colours."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path | None = None, *, whole: bool = True) -> bytes:
        """The whole page as PNG, or what the window shows of it."""
        data = base64.b64decode(self.command("Page.captureScreenshot", captureBeyondViewport=whole)["data"])
        if path:
            path.write_bytes(data)
        return data


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Started with a fresh profile, and ended."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}"]
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    # it reads from descriptor 3 and writes to descriptor 4
    command = f'exec "$0" "$@" --remote-debugging-pipe 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", command, str(CHROMIUM), *options],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        page = Browser(ours_out, ours_in)
        yield page
        page._session = ""
        page.command("Browser.close")
    finally:
        os.close(ours_out)
        os.close(ours_in)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
