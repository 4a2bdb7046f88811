"""Text for messages: quoting, did-you-mean, plurals and natural order; commands to paste."""

from netbuilder._text.suggestions import MAX_COMPARED as MAX_COMPARED
from netbuilder._text.suggestions import MAX_SUGGESTED as MAX_SUGGESTED
from netbuilder._text.suggestions import did_you_mean as did_you_mean
from netbuilder._text.suggestions import limited_suggestions as limited_suggestions
from netbuilder._text.values import LARGEST as LARGEST
from netbuilder._text.values import MAX_FORM as MAX_FORM
from netbuilder._text.values import describe as describe
from netbuilder._text.values import flow as flow
from netbuilder._text.values import proposal as proposal
from netbuilder._text.values import value_in as value_in
from netbuilder._text.words import MAX_QUOTED as MAX_QUOTED
from netbuilder._text.words import format_number as format_number
from netbuilder._text.words import natural_key as natural_key
from netbuilder._text.words import plural as plural
from netbuilder._text.words import printable as printable
from netbuilder._text.words import quoted as quoted
