"""What writes the generated files of the repository; not part of the product."""
