"""How Sphinx makes the site: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from ensemble_instruct.version import __version__

project = "Ensemble-Instruct"
copyright = "the Ensemble-Instruct contributors, Apache-2.0"  # noqa: A001 - Sphinx's name for it
release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx_click", "sphinx_design", "from_source"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_merge_streams = True

default_role = "code"  # docstrings put names between single backticks
doctest_global_setup = "from ensemble_instruct import *"  # docstrings use their own names
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!ensemble_instruct\.).*"),  # types of other libraries: no network, so no inventories of theirs
    (r"py:.*", r"ensemble_instruct\.(?!records\.|errors\.|[A-Za-z_]+$).*"),  # types that are not public
]

html_theme = "pydata_sphinx_theme"
html_title = "Ensemble-Instruct"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": []}
