"""Commands of a release: packages, supported versions, licences, bill of materials."""
