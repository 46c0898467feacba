"""The study, done again on this machine: ``twolayer study`` trains its nets and writes a report.

`runs.run_study` does the work and `report.write_report` writes it down; `protocol` holds what was
published.
"""
