"""Take the pictures of studio.md and page.md anew, beside this file, in a real Chromium and the environment of ``make test``.

``python docs/pictures.py`` takes those of the studio, in some minutes. It is shown at work on what is there without a network:
the merchant categories of ISO 18245 from the tutorial, three pages of this documentation, and the table of tumours that
scikit-learn ships. ``python docs/pictures.py QUICKSTART`` takes the server's page, of a project that ``make quickstart`` left.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser, browser  # noqa: E402  # beside the tests, which are no package
from hatrack.core.config_file import CONFIG_NAME  # noqa: E402
from hatrack.core.project import Project  # noqa: E402
from hatrack.studio.serving import Serving  # noqa: E402
from studio_server import FROM_PAGE, Opened, ended, opened  # noqa: E402
from studio_steps import choose, finished, press  # noqa: E402

WIDTH = 1100
ENCODER = "bundled/all-minilm-l6-v2"
DOCUMENTS = ("drift.md", "registry.md", "serve.md")


def main() -> None:
    """The server's page where a project is named, else the studio's."""
    with tempfile.TemporaryDirectory() as name, browser(Path(name) / "profile") as page:
        folder = Path(name)
        page.look(WIDTH)
        if sys.argv[1:]:
            answers(page, shutil.copytree(sys.argv[1], folder / "quickstart"))
            return
        for place in ("card-payments", "clinic"):
            (folder / place).mkdir()
        with opened(folder / "card-payments") as at:
            journey(page, at, merchants(folder))
            knowledge(page, at)
        with opened(folder / "clinic") as at:
            table(page, at, tumours(folder))


def merchants(folder: Path) -> Path:
    """The file of the tutorial, written by the tutorial."""
    [block] = re.findall(r"```python\n(import csv\n.*?)```", (HERE / "tutorial.md").read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run([sys.executable, "-c", block], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own page
    return folder / "merchants.csv"


def tumours(folder: Path) -> Path:
    """Thirty measures of 569 breast tumours, and what each was (Wolberg, Street and Mangasarian, 1995)."""
    from sklearn.datasets import load_breast_cancer

    found: Any = load_breast_cancer()
    with (folder / "tumours.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(name.replace(" ", "_") for name in found.feature_names), "diagnosis"])
        writer.writerows([*row, found.target_names[kind]] for row, kind in zip(found.data, found.target, strict=True))
    return folder / "tumours.csv"


def journey(page: Browser, at: Opened, file: Path) -> None:
    """From the file to the server that is on."""
    page.open(at.url)
    choose(page, file)
    page.until("document.getElementById('name')?.value")
    page.value("document.querySelector('#begin details').open = true; document.getElementById('base').focus()")
    page.type(ENCODER)
    page.picture(HERE / "studio-1-begin.png")
    press(page, "Begin")
    done(page)
    press(page, "Next: merchants")
    press(page, "Look at the data")
    done(page)
    page.open(f"{at.url}/adapters/merchants/check.html")
    page.picture(HERE / "studio-2-data.png", whole=False)  # how it begins; it is long
    page.open(f"{at.url}/adapters/merchants")
    press(page, "Train and prove")
    page.until("location.pathname.startsWith('/jobs/') && document.querySelectorAll('svg .dot').length > 16", 180)
    page.picture(HERE / "studio-3-training.png")
    done(page)
    page.open(f"{at.url}/adapters/merchants")
    page.picture(HERE / "studio-4-proof.png")
    press(page, "To the server")
    press(page, "Start")
    page.until("document.querySelector('[role=status]')?.innerText == 'on'", 120)
    page.picture(HERE / "studio-5-server.png")
    press(page, "Stop")
    page.until("document.querySelector('[role=status]')?.innerText == 'off'", 60)


def knowledge(page: Browser, at: Opened) -> None:
    """What a question finds in pages of this documentation."""
    for name in DOCUMENTS:
        at.client.put(f"/knowledge/files/{name}", content=(HERE / name).read_bytes(), headers=FROM_PAGE).raise_for_status()
        job(at, "/knowledge/add", file=name, collection="main")
    page.open(f"{at.url}/knowledge")
    page.value("document.querySelector('[name=question]').focus()")
    page.type("Who promoted a version, and why?")
    press(page, "Search")
    page.until("document.querySelector('#found li') != null", 60)
    page.picture(HERE / "studio-6-knowledge.png")


def table(page: Browser, at: Opened, file: Path) -> None:
    """A table model with its proof and what counts."""
    at.client.put(f"/files/{file.name}", content=file.read_bytes(), headers=FROM_PAGE).raise_for_status()
    job(at, "/tables/begin", file=file.name, name="tumours", target="diagnosis")
    job(at, "/tables/tumours/train")
    job(at, "/tables/tumours/explain")
    page.open(f"{at.url}/tables")
    page.value("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    page.until("[...document.images].every(one => one.complete && one.naturalWidth)")
    page.picture(HERE / "studio-7-tables.png")


def answers(page: Browser, root: Path) -> None:
    """The server's page: one prompt to the base and to an adapter, and who would answer a text."""
    config = yaml.safe_load((root / CONFIG_NAME).read_text(encoding="utf-8"))
    config["routing"] = {"rules": [{"when": {"team": "licences"}, "use": "legal"}]}
    (root / CONFIG_NAME).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    serving = Serving(Project(root))
    serving.start()
    try:
        while serving.state == "starting":
            time.sleep(0.2)
        page.look(WIDTH + 200)  # its table is wide
        page.open(serving.facts["page"])
        page.until("document.querySelector('#attribute-team') && document.querySelectorAll('#who input').length > 1")
        wanted = "['base', 'medical'].includes(one.value)"
        page.value(f"document.querySelectorAll('#who input').forEach(one => {{ if (one.checked != {wanted}) one.click() }})")
        page.value("document.getElementById('tokens').value = 60; document.getElementById('prompt').focus()")
        page.type("Acute bronchitis due to rhinovirus")
        page.press("Enter")
        page.until("document.querySelectorAll('.answer[aria-busy=false]').length == 2", 120)
        for field, text in (("text", "Is this licence copyleft?"), ("attribute-team", "licences")):
            page.value(f"document.getElementById({field!r}).focus()")
            page.type(text)
        press(page, "Find out")
        page.until("document.getElementById('decision').innerText")
        page.until("[...document.querySelectorAll('.state.resident')].length == 2", 30)  # the list renews itself
        page.value("document.activeElement.blur()")
        page.picture(HERE / "page.png")
    finally:
        serving.stop()


def done(page: Browser) -> None:
    """The job on the page is over; a proof that was not given is no failure."""
    state = finished(page, 600)
    if not state.startswith(("done", "measured")):
        raise SystemExit(page.value("document.body.innerText"))


def job(at: Opened, path: str, **form: str) -> None:
    """Press a button and wait for its command."""
    answer = at.post(path, **form)
    answer.raise_for_status()
    over = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])), 600)
    if not over.state.startswith(("done", "measured")):
        raise SystemExit(at.studio.jobs.output(over))


if __name__ == "__main__":
    main()
