"""Check the links inside the built site: each file is there, and each place in it.

python docs/_ext/links.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"a": "href", "img": "src", "link": "href", "script": "src"}


class Page(HTMLParser):
    """The places of a page that a link can lead to, and the links on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an id and a link."""
        values = dict(attrs)
        self.places.update(filter(None, (values.get("id"), values.get("name"))))
        if link := values.get(LINKS.get(tag, "")):
            self.links.append(link)


def broken_links(site: Path) -> list[str]:
    """One line for each link that leads nowhere."""
    pages = {
        path.resolve(): Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            if not target.is_file() or (target in pages and place and place not in pages[target].places):
                broken.append(f"{path.relative_to(site.resolve())}: {link} leads nowhere")
    return broken


def main(arguments: Sequence[str]) -> int:
    """Print what leads nowhere; 1 if anything does."""
    site = Path(arguments[0])
    broken = broken_links(site)
    sys.stdout.write("\n".join(broken or [f"links within {site}: all lead somewhere"]) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
