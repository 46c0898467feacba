"""A report as a list of blocks, and its two forms: HTML that needs nothing else, and Markdown.

Text may hold ``code`` between backquotes and *emphasis* between asterisks; all else is literal.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from twolayer_ext import tables

_CSS_PIXELS_PER_PIXEL = 0.68
_STYLE = """
:root { --ink: #2b2f33; --blue: #1f6f8b; --orange: #b3541a; --line: #d9dee3; --pale: #f5f7f8; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem 5rem; color: var(--ink);
  background: #fff; font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
p, li { max-width: 50rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 0.5rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 0.6rem; padding-top: 0.8rem;
  border-top: 2px solid var(--blue); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.4rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.28rem 0.6rem; text-align: right; white-space: nowrap; }
th { border-bottom: 2px solid var(--ink); font-weight: 600; vertical-align: bottom;
  white-space: pre-line; line-height: 1.3; }
td { border-bottom: 1px solid var(--line); }
.left { text-align: left; }
caption, figcaption { text-align: left; color: #5c656d; font-size: 0.88rem; max-width: 50rem; }
caption { caption-side: bottom; padding-top: 0.5rem; }
figure { margin: 1.2rem 0; }
img { max-width: 100%; height: auto; }
code, pre { font: 0.84rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { background: var(--pale); padding: 0.08em 0.3em; border-radius: 3px; }
pre { background: var(--pale); padding: 0.8rem 1rem; overflow-x: auto;
  border-left: 3px solid var(--line); margin: 0.6rem 0 1.2rem; }
.formula { margin: 0.6rem 0; padding: 0.1rem 1rem; border-left: 3px solid var(--blue);
  font: 1.02rem/1.75 "Cambria Math", "STIX Two Math", "DejaVu Serif", Georgia, serif;
  white-space: pre-wrap; }
.warning { color: var(--orange); font-weight: 600; }
"""


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is the report's own."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text; a warning stands out."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Items:
    """A list with bullets."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Formulas:
    """Lines of mathematics, in plain characters."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Source text."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells as text; columns are aligned to the right but for those in `left`."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows; `name` is that of its file."""

    name: str
    png: bytes
    caption: str


Block = Heading | Paragraph | Items | Formulas | Code | Table | Picture


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """Return one HTML page with style and pictures inside."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def as_markdown(blocks: Sequence[Block], figures: str) -> str:
    """Return Markdown (GitHub's) that looks for its pictures in the folder `figures`."""
    return "\n\n".join(_markdown(block, figures) for block in blocks) + "\n"


def _html_text(text: str) -> str:
    """Escape, then turn backquotes and asterisks into elements."""
    escaped = html.escape(text, quote=False)
    parts = re.split(r"`([^`]+)`", escaped)  # code stands at the odd places
    parts[::2] = [re.sub(r"\*([^*]+)\*", r"<em>\1</em>", part) for part in parts[::2]]
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    return "".join(parts)


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_html_text(text)}</h{level}>"
        case Paragraph(text, warning):
            kind = ' class="warning"' if warning else ""
            return f"<p{kind}>{_html_text(text)}</p>"
        case Items(texts):
            return "<ul>" + "".join(f"<li>{_html_text(text)}</li>" for text in texts) + "</ul>"
        case Formulas(lines):
            text = html.escape("\n".join(lines), quote=False)
            return f'<div class="formula">{text}</div>'
        case Code(text):
            return f"<pre><code>{html.escape(text, quote=False)}</code></pre>"
        case Table():
            return _html_table(block)
        case Picture(_, png, caption):
            source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
            alternative = html.escape(caption)
            # All pictures at one scale, so that their letters are of one size.
            width = round(int.from_bytes(png[16:20]) * _CSS_PIXELS_PER_PIXEL)
            return (
                f'<figure><img width="{width}" alt="{alternative}" src="{source}">'
                f"<figcaption>{_html_text(caption)}</figcaption></figure>"
            )


def _html_table(table: Table) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="left"' if i in table.left else "" for i in range(len(cells))]
        return "".join(
            f"<{tag}{kind}>{_html_text(cell)}</{tag}>"
            for kind, cell in zip(kinds, cells, strict=True)
        )

    rows = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in table.rows)
    caption = f"<caption>{_html_text(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="table"><table>{caption}\n<thead><tr>{line(table.headings, "th")}</tr>'
        f"</thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _markdown(block: Block, figures: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text, warning):
            return f"**{text}**" if warning else text
        case Items(texts):
            return "\n".join(f"- {text}" for text in texts)
        case Formulas(lines):
            return "\n".join(f"    {line}" for line in lines)
        case Code(text):
            return f"```python\n{text.rstrip()}\n```"
        case Table():
            return _markdown_table(block)
        case Picture(name, _, caption):
            return f"![{caption}]({figures}/{name}.png)\n\n*{caption}*"


def _markdown_table(table: Table) -> str:
    headings = [heading.replace("\n", " ") for heading in table.headings]
    text = tables.markdown(headings, table.rows, table.left)
    return f"{text}\n\n*{table.caption}*" if table.caption else text
