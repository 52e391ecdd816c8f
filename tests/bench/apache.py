"""What an Apache in front costs: sign-in, pages, WebSockets, and the memory of open labs.

In front of a hub whose labs are processes, since what is measured is Apache. Apache's own form and
cookie stand in for the module of a campus.
"""

LOGINS = 30
REQUESTS = 300
MESSAGES = 1000
TABS = 100
SOCKETS_OF_A_TAB = 4
SETTLE_SECONDS = 3
PAGE = "/services/sophon/projects"
CONFIG = """
c.TrustedProxyAuthenticator.allow_all = True

configure(c)
"""
