"""What is made of the rows: the table, its picture and the record."""
