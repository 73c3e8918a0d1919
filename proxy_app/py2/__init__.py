"""The app's sibling for CPython 2.7, for the two servers that never left it: fapws3 and diesel.

The same routes and header rules, out of the same table. Both servers hand over and take whole
bodies, so this app does too; it speaks to an http upstream only, and reads of the settings
ONEHOP_UPSTREAM, _AUTHORIZE_URL, _ROUTES, _CONNECT_TIMEOUT, _READ_TIMEOUT and _MAX_BODY.
"""
