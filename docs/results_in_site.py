"""MkDocs hook: pictures and records under ``results/`` that pages link to become part of the site."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# A link from docs/FOLDER/page.md, as it works where the repository is browsed.
LINK = re.compile(r"\]\((?:\.\./)+results/([\w./-]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what the pages link to."""
    results = Path(config.config_file_path).parent / "results"
    wanted = {name for page in files.documentation_pages() for name in LINK.findall(page.content_string)}
    for name in sorted(wanted):
        if (results / name).is_file() and not name.endswith(".md"):
            files.append(File.generated(config, f"results/{name}", abs_src_path=str(results / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links to what they are inside the site; records in Markdown have no page there and lose theirs."""
    up = "../" * page.file.src_uri.count("/")

    def inside(match: re.Match[str]) -> str:
        return f"]({up}results/{match[1]})"

    without = re.sub(r"\[([^\]]*)\]\((?:\.\./)+results/[\w./-]+\.md\)", r"\1 (`results/`)", markdown)
    return LINK.sub(inside, without)
