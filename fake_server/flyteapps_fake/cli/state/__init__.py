"""`flyteapps state`: the state directories of servers, checked, repaired and exported."""
