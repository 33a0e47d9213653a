"""The whole system on one machine, for trying it out: `make up`.

    redis       an embedded Valkey, unless REDIS_URL names a server
    prefect     the Prefect server with its UI
    worker      every deployment of prefect.yaml, with the paths of this system
    service     lists over HTTP, with the console
    simulator   the first night, compressed days where asked for, then visitors without end

All files are in one folder (`settings.py`); `processes.py` starts and ends the processes.
"""
