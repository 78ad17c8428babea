"""What MkDocs needs so that one set of pages reads well on GitHub and in the site.

On GitHub, links lead to files of the repository, formulae are in its Markdown, and the API page is a list of links.
The site has pages for what its pages link to outside of ``docs``, MathML in place of formulae, so that no script and no
font is fetched, and the docstrings where the API page has a comment ``<!-- ::: module.name -->``.
"""

from __future__ import annotations

import ast
import posixpath
import re
from html import unescape
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

LINK = re.compile(r'(?<=\]\()(?![a-z]+:|#)([^)#\s]+)')
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
COLUMN = re.compile(r'columnalign="(\w+)"')
ROLE = re.compile(r':(?:class|func|mod|meth|attr):(?=<code>)')
DOCSTRINGS = re.compile(r'^<!-- (::: [\w.]+) -->$', re.MULTILINE)
# GitHub's blocks of formulae, in which it leaves backslashes alone.
DISPLAYED = re.compile(r'^```math\n(.*?)^```$', re.DOTALL | re.MULTILINE)
# The front page; other Markdown from outside of docs keeps its path.
FRONT_PAGE = 'README.md'
CODE = {'.py': 'python', '.sh': 'bash', '.yml': 'yaml', '.txt': 'text'}


def on_files(files: Files, config) -> Files:
    """Add the front page and, for every link that leads out of ``docs``, a page with what it leads to."""
    root = Path(config.config_file_path).parent
    waiting, known = [FRONT_PAGE], {f'docs/{file.src_uri}' for file in files}
    waiting += [f'docs/{file.src_uri}' for file in files.documentation_pages()]
    while waiting:
        path = waiting.pop()
        if path not in known:
            files.append(File.generated(config, site_path(path), content=page_of(root, path)))
            known.add(path)
        if path.endswith('.md'):
            links = (target(path, link) for link in LINK.findall((root / path).read_text(encoding='utf-8')))
            waiting += [link for link in links if link not in known and (root / link).exists()]
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Let links lead to pages of the site, put docstrings where the page asks for them, and mark formulae."""
    path = repository_path(page.file.src_uri)
    if (Path(config.config_file_path).parent / path).is_file():  # and no page made of a file of code, or of a folder
        place = posixpath.dirname(page.file.src_uri) or '.'
        markdown = LINK.sub(lambda link: posixpath.relpath(site_path(target(path, link[1])), place), markdown)
    return DISPLAYED.sub(r'$$\n\1$$', DOCSTRINGS.sub(r'\1', markdown))


def on_page_content(html: str, page, config, files) -> str:
    """Formulae as MathML, and names of Python without Sphinx's roles."""
    return ROLE.sub('', FORMULA.sub(_mathml, html))


def _mathml(formula: re.Match) -> str:
    # latex2mathml knows aligned equations by the name that they have outside of other formulae alone.
    latex = unescape(formula[3]).replace('{aligned}', '{align*}')
    mathml = convert(latex, display='block' if formula[2] == '[' else 'inline')
    # Browsers take the alignment of a column from its style.
    return COLUMN.sub(r'style="text-align: \1"', mathml)


def target(page: str, link: str) -> str:
    """The path, in the repository, of what a page of the repository links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def site_path(path: str) -> str:
    """Where a file of the repository is in the site, as a path of Markdown if it is a page there."""
    if path == FRONT_PAGE:
        return 'index.md'
    if path.startswith('docs/'):
        return path.removeprefix('docs/')
    return f'source/{path}' if path.endswith('.md') else f'source/{path}.md'


def repository_path(page: str) -> str:
    """The inverse of :func:`site_path` for Markdown of the repository."""
    if page == 'index.md':
        return FRONT_PAGE
    return page.removeprefix('source/') if page.startswith('source/') else f'docs/{page}'


def page_of(root: Path, path: str) -> str:
    """Markdown of a file or folder of the repository."""
    file = root / path
    if path.endswith('.md'):
        return file.read_text(encoding='utf-8')
    if file.is_dir():
        return _folder_page(file, path)
    language = CODE.get(file.suffix, 'text')
    return f'# {path}\n\n````{language}\n{file.read_text(encoding="utf-8")}````\n'


def _folder_page(folder: Path, path: str) -> str:
    """The files of a folder, Python's with the first line of what they say of themselves."""
    lines = [f'# {path}', '']
    for file in sorted(folder.rglob('*')):
        if file.is_file() and '__pycache__' not in file.parts:
            doc = ast.get_docstring(ast.parse(file.read_text(encoding='utf-8'))) if file.suffix == '.py' else None
            first = f': {doc.splitlines()[0]}' if doc else ''
            lines.append(f'- `{file.relative_to(folder)}`{first}')
    return '\n'.join(lines) + '\n'
