"""Phone records (电话记录单) of calls that came in and of reports received, signed off by a person."""
