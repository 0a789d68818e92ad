"""Why a task is as it is: the sentences, from the alert back to the API's field."""
