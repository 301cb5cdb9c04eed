"""The one command ``tapo``, a module per subcommand, and what command lines share: flags, tables, errors."""
