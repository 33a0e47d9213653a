"""The site of the documentation: Sphinx reads the pages of this folder (`make docs`)."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = "Nightshelf"
copyright = "Nightshelf's authors, Apache-2.0"
version = release = _PROJECT["version"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]

html_theme = "furo"
html_title = f"Nightshelf {version}"
html_show_sphinx = False
html_copy_source = False

# An anchor for each heading, as code hosts make them: links between pages hold on both.
myst_heading_anchors = 4
# Commands with what they print, shell scripts with placeholders: no lexer knows them all.
suppress_warnings = ["misc.highlighting_failure"]

# Names in single backticks of a docstring are code, not cross-references.
default_role = "code"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
nitpick_ignore_regex = [(r"py:.*", r".*")]
