"""Labels by eye: a contact sheet of stamps, doubtful ones first."""

from astrosieve_training.transient.label.files import LABELS, read_labels
from astrosieve_training.transient.label.page import write_page

__all__ = ['LABELS', 'read_labels', 'write_page']
