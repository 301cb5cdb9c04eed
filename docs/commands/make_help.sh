make help
