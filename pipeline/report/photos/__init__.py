"""Pictures of photos and faces for the report's page."""
