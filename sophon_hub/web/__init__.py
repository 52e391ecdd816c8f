"""HTTP shared by pages and API: who asks, transactions, errors, the table of addresses."""
