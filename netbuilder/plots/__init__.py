"""Pictures, as PNG files.

canvas.py   what they share: colours, texts, whole files
curves.py   loss and accuracy over a run; loss over a range of learning rates
images.py   confusion, confident mistakes
sizes.py    accuracy against parameters
"""

import logging

# While it is imported, it tells at length of a home that may not be written.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
