"""Files and folders: atomic writes, outputs of commands, temporary files, locks, safe reads."""

from netbuilder._files.digest import digest_of as digest_of
from netbuilder._files.folders import folders_below as folders_below
from netbuilder._files.folders import leads_to_folder as leads_to_folder
from netbuilder._files.lock import exclusive_lock as exclusive_lock
from netbuilder._files.lock import is_locked as is_locked
from netbuilder._files.output import destination as destination
from netbuilder._files.output import is_stdout as is_stdout
from netbuilder._files.output import write_to as write_to
from netbuilder._files.regular import UnfitFileError as UnfitFileError
from netbuilder._files.regular import is_regular as is_regular
from netbuilder._files.regular import require_regular as require_regular
from netbuilder._files.temporary import remove_leftovers as remove_leftovers
from netbuilder._files.temporary import remove_own as remove_own
from netbuilder._files.temporary import temporary_file as temporary_file
from netbuilder._files.temporary import temporary_folder as temporary_folder
from netbuilder._files.write import OUT_HINT as OUT_HINT
from netbuilder._files.write import errno_message as errno_message
from netbuilder._files.write import report_write_errors as report_write_errors
from netbuilder._files.write import sync_folder as sync_folder
from netbuilder._files.write import write_atomic as write_atomic
