"""
Sphinx configuration.

``python -m sphinx -W --keep-going docs docs/_build/html`` builds the manual, and
executes the notebooks of the hosts that are installed; ``-D nb_execution_mode=off``
leaves that out. With ``-t online`` names of other packages are linked to their manuals.
"""

import os
import sys
from functools import partial
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from jupyter_cache.executors import utils as executors
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).parent))
# Notebooks call the commands of this environment, and show no bars of progress.
os.environ |= {
    'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    'PYTHONWARNINGS': 'ignore:IProgress not found',
    'TQDM_DISABLE': '1',
}
# A command's output comes in pieces of 100 bytes, and MyST-NB ends each with a line.
executors.executenb = partial(executors.executenb, coalesce_streams=True)

project = 'astrosieve'
author = 'The astrosieve developers'
copyright = author
version = release = version_of('astrosieve')
extensions = [
    'myst_nb',
    'numpydoc',
    'sphinx.ext.autodoc',
    'sphinx_copybutton',
    'sphinx_design',
    'model_pages',
]
exclude_patterns = ['_build', 'changes/*.*.md', 'jupyter_execute']
highlight_language = 'none'
smartquotes = False

if tags.has('online'):  # noqa: F821
    extensions.append('sphinx.ext.intersphinx')
intersphinx_mapping = {
    'astropy': ('https://docs.astropy.org/en/stable/', None),
    'dask': ('https://docs.dask.org/en/stable/', None),
    'numpy': ('https://numpy.org/doc/stable/', None),
    'photutils': ('https://photutils.readthedocs.io/en/stable/', None),
    'python': ('https://docs.python.org/3', None),
}
default_role = 'py:obj'
nitpicky = True
nitpick_ignore_regex = [
    # what stands in other manuals
    (
        'py:.*',
        r'(astropy|ccdproc|ginga|ipywidgets|matplotlib|numpy|pandas|photutils)\..*'
        r'|tweakwcs\..*',
    ),
    ('py:.*', r'(pathlib|collections|dataclasses|click)\..*|[a-z]+'),
    ('py:.*', r'\d+\}\)'),  # of a default that is a mapping
    # words and constants, and what is not public
    ('py:obj', r'True|False|None|(.*\.)?[A-Z_]+|astrosieve frametype|blob_mask'),
    ('py:obj', r'astrosieve\.(contaminant\.segment|images\.pixels|pages)\..*'),
]

myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 4
autodoc_mock_imports = [
    name for name in ('ginga', 'ipyevents', 'ipywidgets') if find_spec(name) is None
]
autodoc_preserve_defaults = True
autodoc_typehints = 'none'
numpydoc_show_class_members = False
copybutton_prompt_text = r'>>> |\.\.\. |\$ '
copybutton_prompt_is_regexp = True

nb_execution_mode = 'cache'
nb_execution_in_temp = True
nb_merge_streams = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_excludepatterns = [
    f'notebooks/{page}.md'
    for page, package in {
        'ccdproc': 'ccdproc',
        'ginga': 'ginga',
        'alerts': 'torch',
        'labels': 'umap',
        'pypeit': 'torch',
        'tweakreg': 'drizzlepac',
    }.items()
    if find_spec(package) is None
]

html_theme = 'pydata_sphinx_theme'
html_title = 'astrosieve'
html_static_path = ['_static']
html_css_files = ['astrosieve.css']
html_show_sourcelink = False
html_sidebars = {page: [] for page in ('figures', 'how', 'install', 'start')}
html_theme_options = {
    'header_links_before_dropdown': 9,
    'navbar_align': 'left',
    'navbar_persistent': ['search-button'],
    'navigation_with_keys': False,
    'secondary_sidebar_items': ['page-toc'],
    'show_prev_next': True,
    'show_toc_level': 2,
}


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


def _of_room(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """Find by its last name what a room hands on, wherever it was written."""
    target = node.get('reftarget', '')
    first, _, rest = target.partition('.')
    if node.get('refdomain') != 'py' or (rest and not first.startswith('astrosieve')):
        return None
    name = target.rpartition('.')[2]
    objects = env.domains.python_domain.objects
    found = [full for full in objects if full.rpartition('.')[2] == name]
    if not found:
        return None
    place = objects[min(found, key=len)]
    return make_refnode(app.builder, node['refdoc'], place.docname, place.node_id, text)


def setup(app: Sphinx) -> None:
    """Let browsers draw formulae by themselves; find names where rooms have them."""
    app.add_html_math_renderer('mathml', (_inline, None), (_block, None))
    app.connect('missing-reference', _of_room)


html_math_renderer = 'mathml'
