"""What every test may rely on."""

import signal


def pytest_configure() -> None:
    """Ctrl-C as in a terminal: a background job starts with it ignored, which the processes of tests inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
