"""Sphinx configuration."""

project = 'astrosieve'
author = 'The astrosieve developers'
extensions = [
    'myst_parser',
    'numpydoc',
    'sphinx.ext.autodoc',
    'sphinx.ext.intersphinx',
]
source_suffix = {'.md': 'markdown'}
intersphinx_mapping = {
    'astropy': ('https://docs.astropy.org/en/stable/', None),
    'photutils': ('https://photutils.readthedocs.io/en/stable/', None),
}
myst_enable_extensions = ['dollarmath']
numpydoc_show_class_members = False
autosummary_generate = False
autodoc_typehints = 'none'
html_theme = 'alabaster'
