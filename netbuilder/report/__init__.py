"""The page about a series of networks, made from their documents and the records of their runs.

records.py   what one run recorded, checked
facts.py     what is said of each network, as values
changes.py   what a document changes of the one before it
words.py     the facts as sentences, as plain text
cells.py     the facts as rows of tables, as plain text
charts.py    the geometry of the curves
markdown.py  the report as markdown, with pictures beside it
html.py      the report as one page that needs nothing else; its parts are in page/
writing.py   both into a folder
"""
