"""The verbs of the command line, each a function of its parsed arguments that returns a status.

0 done, 1 a gate failed. What else can end a verb is raised, and named in bench.__main__.
"""
