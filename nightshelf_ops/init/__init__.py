"""`nightshelf init`: facts about a user's log, a proposal, questions, settings and an import.

    sources -> tables -> derived -> proposal <-> questions -> written

Each step is a function of plain records, so that all but `command.py` runs without a terminal.
"""
