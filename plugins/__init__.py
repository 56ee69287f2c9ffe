"""What extends Airflow."""
