"""Takes the pictures of docs/guide/is-my-model-equivariant.md: runs its first fences, photographs what they write.

``python docs/picture_of_a_check.py``, with the extra ``browser`` and the Chromium of the machine.
"""

import contextlib
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

GUIDE = Path(__file__).parent / "guide"
# Sections of the page, and the files that they are shown in.
PICTURES = {
    "In short": "check-in-short.png",
    "The network in order": "check-layers.png",
    "Error over the group": "check-group.png",
}


def main() -> None:
    """Writes the pictures beside the page."""
    text = (GUIDE / "is-my-model-equivariant.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```\s*(?:python|\{\.python continuation\})\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Path] = {}
    with sync_playwright() as started:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n".join(fences[:2]), "is-my-model-equivariant.md", "exec"), names)
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 800}, color_scheme="light")
        page.goto(names["path"].as_uri())
        for title, name in PICTURES.items():
            data = page.locator(f"section[aria-label='{title}']").screenshot()
            Image.open(io.BytesIO(data)).convert("RGB").quantize(64).save(GUIDE / name, optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
