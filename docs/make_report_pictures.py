"""Take the pictures of the demo's report: light, dark, narrow, and as printed. Needs Chromium and pdftoppm."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).with_name("pictures")
VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 1500}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 1500}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def main() -> None:
    """Run the demo, open its report, and look."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        demo = Path(folder, "demo")
        subprocess.run([sys.executable, "-m", "sync", "demo", "--folder", str(demo)], check=True)  # noqa: S603
        pictures(demo / "report.html", Path(folder))


def pictures(report: Path, folder: Path) -> None:
    """One of each view, and the first pages on paper."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, options in VIEWS.items():
            page = browser.new_context(**options).new_page()
            page.goto(report.as_uri())
            page.screenshot(path=FOLDER / f"report-{name}.png")
        page.pdf(path=folder / "report.pdf", prefer_css_page_size=True)
        browser.close()
    command = ["pdftoppm", "-r", "56", "-png", "-f", "1", "-l", "3", str(folder / "report.pdf"), str(folder / "page")]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments
    pages = sorted(map(str, folder.glob("page-*.png")))
    looks = ["-tile", "3x1", "-geometry", "+6+6", "-background", "#888", "+dither", "-colors", "32"]
    subprocess.run(["montage", *pages, *looks, str(FOLDER / "report-print.png")], check=True)  # noqa: S603, S607


if __name__ == "__main__":
    main()
