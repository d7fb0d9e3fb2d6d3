"""An import from start to finish: check, journal, queue, report, rejected rows."""
