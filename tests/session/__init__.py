"""Servers that a test session's workers share, and commands that run in forks of one process.

An import of Prefect and of all steps takes as much of a processor as a small night. `programs`
makes a folder with the commands `python`, `nightshelf` and `prefect`: each asks the fork server,
which has imported all that, to run what it is given, with its own arguments, folder, environment
and open files, and ends as that ends. Everything else is as in a process of its own: `__main__`,
the settings of Prefect, the functions that run at exit. A test that kills a process, or is about
its start or its last moments, takes `sys.executable`.
"""
