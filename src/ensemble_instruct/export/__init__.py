"""Examples as datasets: files, Parquet, the Hub, and the card."""
