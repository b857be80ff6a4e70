"""Named errors. Each says what was found, what was expected and what to do; the command line turns
them into one readable message and an exit code."""


class DpaError(Exception):
    """The work failed (exit code 1). Base of every error that the package raises on purpose."""

    exit_code = 1


class InputError(DpaError):
    """Bad usage or bad input (exit code 2): nothing was changed and nothing done before is lost."""

    exit_code = 2

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(f"{found}\n  expected: {expected}\n  to do:    {remedy}")


class NeedsPackage(InputError):
    """A reader's package is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            found=f"the package {package!r} is not installed",
            expected="the extra 'import'",
            remedy="pip install 'dpa-engine[import]'",
        )
