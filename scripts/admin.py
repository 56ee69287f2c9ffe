"""Make the user `admin` of this Airflow, or give it the password it is to have; for docker-compose.

The password stands in the file that ADMIN_PASSWORD_FILE names: `airflow users create` would show
it to whoever lists processes, and leave an old one as it is. Done with Airflow's FAB provider.
"""

import os
from pathlib import Path

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

password = Path(os.environ["ADMIN_PASSWORD_FILE"]).read_text().strip()
with get_application_builder() as builder:
    users = builder.sm
    if user := users.find_user("admin"):
        users.reset_password(user.id, password)
    else:
        role = users.find_role("Admin")
        users.add_user("admin", "Newsdesk", "Admin", "admin@localhost", role, password)
print("admin has the password of the file")
