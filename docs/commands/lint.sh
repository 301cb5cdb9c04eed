make lint     # style, format, import contracts, types
make format   # repair style and format
