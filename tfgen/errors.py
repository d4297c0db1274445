"""The one exception that stands for a mistake of the user."""


class UserError(ValueError):
    """A mistake that its message explains: what was wrong, what to do.

    The command line prints the message as one line and exits with code 2. Anything
    else that is raised is a defect of tfgen, and shows its traceback.
    """
