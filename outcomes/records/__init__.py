"""Records in: files, mapping, identifier guard, contracts, quarantine."""

from outcomes.records.files import Records, Source, check_records, problems_table, read_records

__all__ = ["Records", "Source", "check_records", "problems_table", "read_records"]
