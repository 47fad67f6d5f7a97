"""The Streamlit pages. No SQL, no prices, no boto3 here."""
