"""Components for the faces: HTML, HTTP, console. Knows no noun."""
