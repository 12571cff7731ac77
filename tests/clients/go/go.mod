module bakau.test/read

go 1.23
