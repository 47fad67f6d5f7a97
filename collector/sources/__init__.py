"""Where log lines come from: files and CloudWatch Logs, behind one protocol."""
