"""What kind of failure an exception is: told to a user, a mistake in somebody's code, memory, a file, a lost process.

Without torch: `engine.notify` must start in a moment.
"""

import linecache

LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")


def is_told(error: BaseException) -> bool:
    """Whether somebody raised it to tell something; else it is a mistake in code, maybe in a user's model or loss."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    return linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno).strip().startswith("raise")


def is_lost_process(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    # torch.OutOfMemoryError by its name, see above; the CPU's allocator has no error of its own
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, RuntimeError) and ("OutOfMemoryError" in names or "can't allocate memory" in str(error))


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def file_failure(error: OSError) -> str:
    """Which file could not be read or written, and why, on one line."""
    if error.errno is None:  # somebody's own words
        return first_line(error)
    return f"cannot read or write {error.filename or 'a file'} ({error.strerror or error})"
